# tar.sh VERSION ARCH PROGRAMS OUT: a tar archive that is the same every time
set -eu
umask 022
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage/harrier-$1/bin"
install -m 0755 "$3/harrier" "$3/harrier-manifest" "$stage/harrier-$1/bin"
install -m 0644 LICENSE README.md "$stage/harrier-$1"
tar --sort=name --format=ustar --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -C "$stage" -cf - "harrier-$1" |
	gzip -9n >"$4/harrier-$1-linux-$2.tar.gz"
