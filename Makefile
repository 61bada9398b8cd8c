# `make demo` shows Ripcord at work, `make test` proves it. Both install what they lack.
.PHONY: demo test check bench build

demo:
	@.ci/setup demo
	@cargo build --quiet --package ripcord
	@./target/debug/ripcord demo $(if $(KEEP),--keep)

test:
	@.ci/setup test
	cargo test --workspace --no-fail-fast

check:
	@.ci/setup check
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	@.ci/layers
	cargo deny --config .deny.toml check licenses bans sources
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

bench:
	cargo build --release --quiet --package benches --package load-tests --package ripcord
	./target/release/benches
	./target/release/load-tests latency

build:
	cargo build --release --package ripcord
