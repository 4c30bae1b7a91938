# shellcheck shell=bash
# Sourced by `deb`, `static` and `source`: how what is handed out is built.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

die() {
    printf 'error: %s\n hint: %s\n' "$1" "$2" >&2
    exit 1
}

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

# One time for every file that is packed: that of the last change, or what the caller says. A source tree without
# history takes the changelog's.
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)
fi
export SOURCE_DATE_EPOCH

# Of its own: other flags than the ones of daily work would build everything anew there, each time.
export CARGO_TARGET_DIR="$root/target/dist"

# build_release TARGET: makes $CARGO_TARGET_DIR/TARGET/release/mandorla. Places of this machine do not get into the
# program, so that the same source gives the same bytes elsewhere; what else it depends on is the pinned toolchain and,
# for aws-lc, the C compiler.
build_release() {
    local cargo_home=${CARGO_HOME:-$HOME/.cargo}
    local maps="-ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$root=/mandorla"
    # --config adds to the flags of .cargo/config.toml, which RUSTFLAGS would displace.
    CFLAGS="${CFLAGS:-} $maps" cargo build --release --locked -p mandorla --target "$1" \
        --config "build.rustflags=[\"--remap-path-prefix=$cargo_home=/cargo\", \"--remap-path-prefix=$root=/mandorla\"]" \
        --config 'profile.release.strip="debuginfo"'
}

# stage PROGRAM TARGET WHERE-THE-APACHE-LICENCE-IS: fills target/dist/package with what goes with the program and is made
# from it, so that pages, completions and examples are always those of this version.
stage() {
    local program=$1 stage=$root/target/dist/package
    rm -rf "$stage"
    mkdir -p "$stage/examples"
    "$program" -q man "$stage/man" >/dev/null
    "$program" completion bash >"$stage/mandorla.bash"
    "$program" completion zsh >"$stage/_mandorla"
    "$program" completion fish >"$stage/mandorla.fish"
    cli/packaging/copyright "$2" "$3" >"$stage/copyright"
    printf 'mandorla (%s-1) unstable; urgency=medium\n\n  * What changed: see the changelog beside this file.\n\n -- %s  %s\n' \
        "$version" "$(sed -n 's/^maintainer = "\(.*\)"/\1/p' cli/Cargo.toml)" \
        "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")" >"$stage/changelog.Debian"

    # What `init` writes for the service, but for the key: everybody's auditor has one of their own.
    local node
    node=$(mktemp -d)
    env -i "$program" -q --data-dir "$node/data" --socket /run/mandorla/control.sock init --seal none \
        --name "Fictional Border Agency" --country GB --listen 192.0.2.1:4433 >/dev/null
    sed 's/^auditor_key = .*/# auditor_key = "64 hexadecimal digits"/' "$node/data/node.toml" >"$stage/examples/node.toml"
    env -i "$program" -q data generate --size S --seed 1 -o "$node/lists" >/dev/null
    cp "$node/lists/uk.map.toml" "$stage/examples/map.toml"
    rm -rf "$node"
    cp node/agreement/samples/uk-rs.toml "$stage/examples/agreement.toml"
}
