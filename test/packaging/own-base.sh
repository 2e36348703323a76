#!/bin/sh
# own-base.sh FOLDER NODE: copies from this machine what a base image of Node needs, for builds where none can be pulled: NODE (a folder with
# `node`), npm, a shell with a few programs, their libraries and the certificates of authorities.
set -eu
to=$1
node=$2
mkdir -p "$to/usr/local/bin" "$to/usr/bin" "$to/usr/lib" "$to/etc/ssl" "$to/tmp" "$to/root" "$to/usr/local/lib/node_modules"
for folder in bin sbin lib lib64; do
  mkdir -p "$to/usr/$folder"
  ln -s "usr/$folder" "$to/$folder"
done
cp "$node/node" "$to/usr/local/bin/node"
npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
cp -R "$npm" "$to/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$to/usr/local/bin/npm"
for program in sh bash mkdir cp chmod ln rm rmdir ls cat find dirname readlink env id sleep; do
  cp -L "$(command -v "$program")" "$to/usr/bin/$program"
done
# `node` last: its libraries are those of the image.
for program in "$to"/usr/bin/* "$to/usr/local/bin/node"; do ldd "$program"; done |
  sed -n 's/^[^/]*\(\/[^ ]*\) .*/\1/p' | sort -u | while read -r library; do
    mkdir -p "$to/usr$(dirname "${library#/usr}")"
    cp -L "$library" "$to/usr$(dirname "${library#/usr}")/"
  done
cp -RL /etc/ssl/certs "$to/etc/ssl/certs"
# npm knows only the authorities that Node brings, and a network may have one of its own.
mkdir -p "$to/usr/local/etc"
echo 'cafile=/etc/ssl/certs/ca-certificates.crt' >"$to/usr/local/etc/npmrc"
printf 'root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/tmp:/bin/sh\n' >"$to/etc/passwd"
printf 'root:x:0:\nnode:x:1000:\n' >"$to/etc/group"
chmod 1777 "$to/tmp"
