# deb.sh VERSION ARCH PROGRAMS OUT: a Debian package; dpkg-deb takes every time from SOURCE_DATE_EPOCH
set -eu
umask 022
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
chmod 0755 "$stage"
mkdir -p "$stage/DEBIAN" "$stage/usr/bin" "$stage/usr/share/doc/harrier"
sed -e "s/@VERSION@/$1/" -e "s/@ARCH@/$2/" packaging/control.in >"$stage/DEBIAN/control"
install -m 0755 "$3/harrier" "$3/harrier-manifest" "$stage/usr/bin"
install -m 0644 LICENSE "$stage/usr/share/doc/harrier/copyright"
dpkg-deb --root-owner-group --threads-max=1 -Zgzip --build "$stage" "$4/harrier_$1_$2.deb"
