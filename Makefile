# `make demo` shows Ripcord at work, `make test` proves it. Both install what they lack.
.PHONY: demo test soak soak-embedded sim check bench bench-stores build

RELEASE = $(or $(CARGO_TARGET_DIR),target)/release

demo:
	@.ci/setup demo
	@cargo build --quiet --package ripcord
	@./target/debug/ripcord demo $(if $(KEEP),--keep)

# Property tests draw the same cases each time here, and others in `make soak`, which prints the seed.
test: export PROPTEST_RNG_SEED ?= 1
test:
	@.ci/setup test
	PATH="$(CURDIR)/target/python/bin:$$PATH" cargo test --workspace --no-fail-fast

# Many minutes: three Kafka brokers that die and restart, analyzers and the whole of Ripcord killed over and over.
soak:
	@.ci/setup test
	cargo test --package ripcord --test kafka -- --ignored --nocapture --test-threads=1
	seed=$${PROPTEST_RNG_SEED:-$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}; echo "PROPTEST_RNG_SEED=$$seed"; \
		PROPTEST_RNG_SEED=$$seed PROPTEST_CASES=2000 cargo test --workspace --lib
	ROUNDS=$(or $(ROUNDS),50) cargo test --package ripcord --test it wherever_the_process_is_killed -- --nocapture

sim:
	SEEDS=$(or $(SEEDS),10000) cargo test --release --package sim every_promise -- --nocapture

# The log on disk: ROUNDS kills at random moments under load, and every damage to every file of a data directory.
# SEED=… repeats the moments and the bytes.
soak-embedded:
	ROUNDS=$(or $(ROUNDS),300) DAMAGES=all cargo test --package ripcord --test it -- --nocapture --test-threads 1 \
		what_was_acked_is_kept whatever_happens_to_whichever_file

check:
	@.ci/setup check
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	@.ci/layers
	cargo deny --config .deny.toml check licenses bans sources
	@.ci/advisories
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

# A few minutes. Times on a shared machine vary: compare figures of one run.
bench:
	cargo build --release --quiet --package benches --package load-tests --package ripcord
	@echo "== cores alone: per sample, per scrape, per tick; p95 against exact values"
	@$(RELEASE)/benches
	@echo "== ripcord serve: remote write in, durable ack"
	@$(RELEASE)/load-tests ingest --series 10000
	@$(RELEASE)/load-tests ingest --series 100000
	@echo "== ripcord serve: state in, decision out"
	@$(RELEASE)/load-tests latency
	@$(RELEASE)/load-tests latency --background 100000
	@$(RELEASE)/load-tests latency --background 500000
	@echo "== ripcord serve: the same log on a RAM disk, for the price of durability"
	@$(RELEASE)/load-tests ingest --series 100000 --folder /dev/shm
	@echo "== ripcord serve: ready after kill -9"
	@$(RELEASE)/load-tests recover --seconds $(or $(RECOVER_SECONDS),60)
	@echo "== ripcord serve on Kafka"
	@load-tests/kafka/bench $(RELEASE) || echo "skipped: Kafka cannot run here"

# Which store for the log: ours, a plain file, raft-engine, fjall, redb, SQLite. Not part of the workspace.
bench-stores:
	cargo run --release --quiet --locked --manifest-path load-tests/stores/Cargo.toml --target-dir target/stores -- \
		--dir target/stores/data $(if $(ROUNDS),--rounds $(ROUNDS))

build:
	cargo build --release --package ripcord
