# pack.sh OUT: what npm would pack, the same every time
set -eu
umask 022
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir "$stage/package"
cp -R package.json README.md LICENSE dist "$stage/package"
chmod -R u=rwX,go=rX "$stage/package"
tar --sort=name --format=ustar --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -C "$stage" -cf - package | gzip -9n >"$1"
