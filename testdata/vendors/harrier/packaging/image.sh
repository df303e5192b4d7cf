# image.sh VERSION ARCH PROGRAMS OUT: an image of two static programs, as an archive of an OCI layout
set -eu
umask 022
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
pack() { # pack DIR NAME…: a tar archive that is the same every time
	dir=$1
	shift
	tar --sort=name --format=ustar --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -C "$dir" -cf - "$@"
}
sum() { sha256sum "$1" | cut -d' ' -f1; }
blob() { # blob FILE: move it to where its digest says, and print its descriptor's fields
	digest=$(sum "$1")
	size=$(wc -c <"$1")
	mv "$1" "$layout/blobs/sha256/$digest"
	printf '"digest":"sha256:%s","size":%d' "$digest" "$size"
}
layout=$stage/layout
mkdir -p "$layout/blobs/sha256" "$stage/root/usr/bin"
install -m 0755 "$3/harrier" "$3/harrier-manifest" "$stage/root/usr/bin"

pack "$stage/root" usr >"$stage/layer.tar"
diff=$(sum "$stage/layer.tar")
gzip -9nc "$stage/layer.tar" >"$stage/layer"
layer=$(blob "$stage/layer")
created=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
printf '{"created":"%s","architecture":"%s","os":"linux","config":{"Entrypoint":["/usr/bin/harrier"],"Labels":{"org.opencontainers.image.version":"%s"}},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created":"%s","created_by":"packaging/image.sh"}]}' \
	"$created" "$2" "$1" "$diff" "$created" >"$stage/config"
config=$(blob "$stage/config")
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json",%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip",%s}]}' \
	"$config" "$layer" >"$stage/manifest"
manifest=$(blob "$stage/manifest")
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",%s,"platform":{"architecture":"%s","os":"linux"}}]}' \
	"$manifest" "$2" >"$layout/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
pack "$layout" blobs index.json oci-layout >"$4/harrier-$1-image.tar"
