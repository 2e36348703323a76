/** Functions of the script that add a part to a file of the node. Each leaves the file as it is, and writes another one. */
export const MERGE = String.raw`
say() { printf '%s\n' "$*" >&2; }
fail() { say "$0: $*. Nothing was changed."; exit 1; }

# merge_list FILE NEW KEY VALUE: a list in JSON gets VALUE as its first entry.
merge_list() {
  if command -v python3 >/dev/null 2>&1; then
    python3 - "$1" "$3" "$4" >"$2" <<'BREAKWATER_PYTHON' || fail "$1 is not JSON with a list under $3"
import json, sys
try:
    with open(sys.argv[1]) as file:
        values = json.load(file)
except (ValueError, RecursionError) as error:
    sys.exit(str(error))
entries = values.get(sys.argv[2], []) if isinstance(values, dict) else None
if not isinstance(entries, list):
    sys.exit(1)
if entries[:1] != [sys.argv[3]]:
    values[sys.argv[2]] = [sys.argv[3]] + [entry for entry in entries if entry != sys.argv[3]]
    json.dump(values, sys.stdout, indent=2)
    print()
else:
    with open(sys.argv[1]) as file:
        sys.stdout.write(file.read())
BREAKWATER_PYTHON
  elif command -v jq >/dev/null 2>&1; then
    if jq -e --arg key "$3" --arg value "$4" '.[$key][0] == $value' "$1" >/dev/null 2>&1; then
      cp "$1" "$2"
    else
      jq --arg key "$3" --arg value "$4" '.[$key] = [$value] + ((.[$key] // []) - [$value])' "$1" >"$2" ||
        fail "$1 is not JSON with a list under $3"
    fi
  else
    fail "$1 exists, and without python3 or jq this script cannot add to it: add $4 to $3 there by hand, or install one of them"
  fi
}

# merge_containerd FILE NEW VERSIONS: config_path is set, in the table that the version of the file has.
merge_containerd() {
  if grep -Eq "^[[:space:]]*config_path[[:space:]]*=[[:space:]]*[\"'](.*:)?/etc/containerd/certs\.d[:\"']" "$1"; then
    cp "$1" "$2"
    return
  fi
  if grep -Eq '^[[:space:]]*\[.*registry\.(mirrors\.|configs\..*\.tls)' "$1"; then
    fail "$1 has registry.mirrors or registry.configs, and containerd does not start with them beside config_path: move them to hosts.toml files first"
  fi
  found=$(sed -n 's/^[[:space:]]*version[[:space:]]*=[[:space:]]*\([0-9][0-9]*\).*/\1/p' "$1" | head -n 1)
  [ -n "$found" ] || found=1
  case " $3 " in
  *" $found "*) ;;
  *) fail "$1 has version = $found; this script knows $3" ;;
  esac
  case $found in
  2) table='[plugins."io.containerd.grpc.v1.cri".registry]' ;;
  *) table='[plugins."io.containerd.cri.v1.images".registry]' ;;
  esac
  TABLE=$table awk '
    function plain(text) { gsub(/^[ \t]+|[ \t\r]+$/, "", text); gsub(/\047/, "\"", text); return text }
    function setting() { print "config_path = \"/etc/containerd/certs.d\""; done = 1 }
    plain($0) == ENVIRON["TABLE"] { print; inside = 1; setting(); next }
    plain($0) ~ /^\[/ { inside = 0 }
    inside && plain($0) ~ /^config_path[ \t]*=[ \t]*""/ { next }
    inside && plain($0) ~ /^config_path[ \t]*=/ { other = 1; exit }
    { print }
    END { if (other) exit 3; if (!done) { print ""; print ENVIRON["TABLE"]; setting() } }
  ' "$1" >"$2" || fail "$1 has another folder as config_path in $table: move what is there to /etc/containerd/certs.d, and name that folder in the file"
  # The containerd of this machine is not that of another root.
  if [ -z "$root" ] && command -v containerd >/dev/null 2>&1; then
    containerd --config "$2" config dump 2>/dev/null | grep -q 'config_path = .*/etc/containerd/certs\.d' ||
      fail "containerd does not read $1 with config_path added: set it in $table by hand"
  fi
}

# merge_elsewhere FILE
merge_elsewhere() {
  fail "$1 exists, and this script cannot add to it: copy it below a folder, run breakwater client $kind --output FOLDER, and bring it back"
}
`;

/** The rest of the script: what it does. */
export const RUN = String.raw`
root=$BREAKWATER_ROOT
folder=$root/var/lib/breakwater-client
state=$folder/$kind
mark='Written by .breakwater c[a-z0-9 -]*. for '

hash_of() { sha256sum "$1" | cut -d' ' -f1; }
# Kinds of clients share files, so what another kind has recorded counts, too.
recorded() { cat "$folder"/* 2>/dev/null | grep -qxF "$1"; }
records_of() { cat "$folder"/* 2>/dev/null | while read -r sum former; do if [ "$former" = "$1" ]; then echo "$sum $former"; fi; done; }
was_recorded() { [ -n "$(records_of "$1")" ]; }
# The first line of a shared file says only who made it, since others change it too.
is_own() {
  if ! is_shared "$2" && head -n 1 "$1" | grep -q "$mark"; then return 0; fi
  line=$(own_line "$2")
  if [ -n "$line" ] && [ "$(grep -c '' "$1")" = 1 ] && grep -Eq "$line" "$1"; then return 0; fi
  recorded "$(hash_of "$1") $2"
}

is_blank() { [ -f "$1" ] && [ -r "$1" ] && ! LC_ALL=C grep -q '[^[:space:]]' "$1"; }

check_version() {
  [ -n "$major" ] && [ -z "$root" ] && command -v containerd >/dev/null 2>&1 || return 0
  here=$(containerd --version | sed -n 's/^[^ ]* [^ ]* v\{0,1\}\([0-9]*\)\..*/\1/p')
  [ -z "$here" ] || [ "$here" = "$major" ] ||
    fail "this script is for containerd $major, and here is containerd $here: write another one with --client-version"
}

# Writes what each file will hold to $work, without a change of the node.
prepare() {
  number=0
  while IFS= read -r path; do
    number=$((number + 1))
    content "$path" >"$work/$number"
    [ ! -h "$root$path" ] || fail "$root$path is a symbolic link: install where it leads, or remove it"
    [ -e "$root$path" ] || continue
    # An empty file is as good as none.
    if is_shared "$path" && is_blank "$root$path"; then continue; fi
    if is_shared "$path"; then
      recorded "$(hash_of "$work/$number") $path" && cmp -s "$work/$number" "$root$path" && continue
      merge "$root$path" "$work/$number" "$path" || exit 1
    elif ! cmp -s "$work/$number" "$root$path" && ! is_own "$root$path" "$path" && [ "$force" = no ]; then
      fail "$root$path holds what this script did not write: look at it, or replace it with --force"
    fi
  done <"$work/paths"
}

# record FILE STATE
record() {
  mkdir -p "$folder"
  # For the owner only: it has hashes of files with passwords.
  rm -f "$folder/.new"
  (umask 077 && sort -u "$1" >"$folder/.new")
  mv "$folder/.new" "$2"
}

# What is recorded may be removed by uninstall: files of this script alone, and shared files as this script wrote them. If somebody has changed
# a shared file since, what was recorded stays, so that uninstall finds that the file is another one.
plan() {
  number=0
  : >"$work/state"
  while IFS= read -r path; do
    number=$((number + 1))
    if is_shared "$path" && [ -e "$root$path" ] && ! recorded "$(hash_of "$root$path") $path"; then
      if was_recorded "$path"; then
        records_of "$path" >>"$work/state"
        continue
      fi
      if cmp -s "$work/$number" "$root$path"; then continue; fi
    fi
    echo "$(hash_of "$work/$number") $path" >>"$work/state"
  done <"$work/paths"
}

# A backup belongs to one installation, and is what was replaced last. An older one gets a number, so that nothing takes it for that.
set_aside() {
  aside=
  [ -e "$1.before-breakwater" ] || return 0
  turn=1
  while [ -e "$1.before-breakwater.$turn" ]; do turn=$((turn + 1)); done
  aside=$1.before-breakwater.$turn
  mv "$1.before-breakwater" "$aside"
}

back_up() {
  if [ ! -e "$1" ]; then
    set_aside "$1"
  elif ! is_own "$1" "$2" && ! cmp -s "$1" "$1.before-breakwater"; then
    set_aside "$1"
    cp -p "$1" "$1.before-breakwater"
  fi
}

put() {
  target=$root$2
  cmp -s "$1" "$target" && return
  mkdir -p "$(dirname "$target")"
  back_up "$target" "$2"
  rm -f "$target.breakwater-new"
  if [ -e "$target" ]; then cp -p "$target" "$target.breakwater-new"; else (umask 077 && : >"$target.breakwater-new"); fi
  cat "$1" >"$target.breakwater-new"
  if is_secret "$2"; then
    chmod 600 "$target.breakwater-new"
  elif [ ! -e "$target" ]; then
    chmod 644 "$target.breakwater-new"
  fi
  mv "$target.breakwater-new" "$target"
  say "written: $target"
}

# Files of an earlier script that this one does not have.
remove_former() {
  kept=no
  while read -r sum path; do
    grep -qxF "$path" "$work/paths" || echo "$path"
  done <"$work/former" | sort -u >"$work/gone"
  while IFS= read -r path; do remove "$path"; done <"$work/gone"
}

# leave PATH: the last kind that has a file takes it back, whichever of them wrote it.
leave() {
  for other in "$folder"/*; do
    if [ "$other" != "$state" ] && cut -d' ' -f2- "$other" | grep -qxF "$1"; then
      { cat "$other"; records_of "$1"; } >"$work/other"
      record "$work/other" "$other"
      say "left: $target, which $(basename "$other") has, too"
      return
    fi
  done
  return 1
}

remove() {
  target=$root$1
  if leave "$1"; then return; fi
  if [ ! -e "$target" ]; then
    set_aside "$target"
    [ -z "$aside" ] || say "gone already: $target. $aside is what it was before."
  elif ! recorded "$(hash_of "$target") $1"; then
    say "kept: $target, which was changed since. Take out by hand what the edge added."
    set_aside "$target"
    [ -z "$aside" ] || say "  $aside is what it was before."
    kept=yes
  elif [ -e "$target.before-breakwater" ]; then
    mv "$target.before-breakwater" "$target"
    say "restored: $target"
  else
    rm "$target"
    rmdir "$(dirname "$target")" 2>/dev/null || :
    say "removed: $target"
  fi
}

run_install() {
  check_version
  paths >"$work/paths"
  prepare
  plan
  if [ -e "$state" ]; then cp "$state" "$work/former"; else : >"$work/former"; fi
  # Recorded before it is written: after a crash, uninstall finds all of it.
  cat "$work/former" "$work/state" >"$work/both"
  record "$work/both" "$state"
  number=0
  while IFS= read -r path; do
    number=$((number + 1))
    put "$work/$number" "$path"
  done <"$work/paths"
  remove_former
  record "$work/state" "$state"
}

run_uninstall() {
  kept=no
  [ -e "$state" ] || { say "nothing is installed"; return; }
  cut -d' ' -f2- "$state" | sort -u >"$work/gone"
  while IFS= read -r path; do remove "$path"; done <"$work/gone"
  rm -f "$state"
  rmdir "$folder" 2>/dev/null || :
  [ "$kept" = no ]
}

force=no
action=install
for word in "$@"; do
  case $word in
  install | uninstall) action=$word ;;
  --force) force=yes ;;
  *) say "usage: sh $0 [install|uninstall] [--force]"; exit 2 ;;
  esac
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
"run_$action"
`;
