# make check: the sums of known texts, and what they are known as
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
grep -v '^#' tests/sums.txt | while read -r sum name text; do
	printf %s "$text" >"$dir/text"
	got=$(build/merlin-sum "$dir/text")
	[ "$got" = "$sum  $dir/text  $name" ] || { echo "sum of '$text': $got, want $sum $name"; exit 1; }
done
