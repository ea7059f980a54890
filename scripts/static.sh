#!/usr/bin/env bash
# Builds the program as one static binary (musl) with its list of components (an SBOM, CycloneDX) and
# the checksums of both.
#
#   scripts/static.sh [--target TARGET] [FOLDER]
#
# TARGET is this machine's musl target unless given, and FOLDER is target/static. It takes rustup, or a
# Rust that has the target, as Alpine's; a C compiler for musl, which is Debian's package musl-tools;
# and cargo-cyclonedx, which cargo builds where it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

cyclonedx=0.5.9

fail() {
  printf 'static.sh: %s\n' "$*" >&2
  exit 1
}

target=$(uname -m)-unknown-linux-musl
folder=target/static
while (($#)); do
  case $1 in
    --target) target=${2:?--target takes a name} && shift 2 ;;
    -*) fail "$1 is no option of this script: --target TARGET" ;;
    *) folder=$1 && shift ;;
  esac
done
[[ $target == *-linux-musl* ]] || fail "$target does not link musl: name a target that does"

# The standard library of the target.
has_std() { compgen -G "$(rustc --print target-libdir --target "$target")/libstd-*.rlib" >/dev/null; }
if ! has_std; then
  command -v rustup >/dev/null || fail "this Rust has no $target, and there is no rustup to add it"
  rustup target add "$target" || fail "rustup could not add $target; is its server reachable?"
  has_std || fail "rustup added $target, but rustc does not find it"
fi

# ring, mimalloc and the like are C, for the same C library.
host=$(rustc -vV | sed -n 's/^host: //p')
name=CC_${target//-/_}
if [ -z "${!name:-}" ]; then
  machine=${target%%-*}
  compilers=("$machine-linux-musl-gcc")
  [[ $machine != "${host%%-*}" ]] || compilers+=(musl-gcc)
  [[ $host != *-linux-musl* || $machine != "${host%%-*}" ]] || compilers+=(cc)
  for compiler in "${compilers[@]}"; do
    if command -v "$compiler" >/dev/null; then
      export "$name=$compiler"
      break
    fi
  done
  [ -n "${!name:-}" ] ||
    fail "no C compiler for $target: none of ${compilers[*]} is here, and \$$name names none" \
      "(Debian: apt-get install musl-tools)"
fi

# The list of components: what Cargo.lock says of this target, without tests and benches.
tools=$PWD/target/tools
PATH=$tools/bin:$PATH
if [ "$(cargo cyclonedx --version 2>/dev/null)" != "cargo-cyclonedx-cyclonedx $cyclonedx" ]; then
  cargo install --locked --force --root "$tools" --version "=$cyclonedx" cargo-cyclonedx
fi

cargo build --locked --release --bin weir --target "$target"
built=${CARGO_TARGET_DIR:-target}/$target/release/weir
headers=$(readelf --program-headers --dynamic "$built") || fail "readelf cannot read $built"
if grep -E 'INTERP|\(NEEDED\)' <<<"$headers"; then
  fail "$built asks for the libraries above: it is not static"
fi

mkdir -p "$folder"
cp "$built" "$folder/weir"
cargo cyclonedx --format json --spec-version 1.5 --target "$target" --override-filename weir-sbom
mv weir-sbom.json "$folder/weir.cdx.json"
(cd "$folder" && sha256sum weir weir.cdx.json >SHA256SUMS && cat SHA256SUMS)
