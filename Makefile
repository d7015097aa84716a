# Supyo: every way to build, test and try it. `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
JOBS ?= $(shell nproc)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: setup
setup: ## install what is missing: Debian's packages, the pinned Python parts (asks for nothing when all is there)
	@scripts/setup.sh

.PHONY: build
build: setup ## release binary: build/release/supyo
	@scripts/build.sh release supyo supyo_parquet

.PHONY: demo
demo: build ## the lab and the flights pipeline, end to end, with what happened in plain lines
	@scripts/demo.sh

.PHONY: test
test: ## everything that needs no server: sanitizer build, unit, SQL, simulation sample, end to end, report in a browser
	@scripts/test.sh

.PHONY: test-kafka
test-kafka: build ## source and sink against a real Kafka broker (fetches it; needs Maven and a JVM); ROUNDS=300 for more kills
	@scripts/test_kafka.sh

.PHONY: test-postgres
test-postgres: build ## connector 'jdbc' against a real PostgreSQL (Debian's postgresql-15, started and stopped by the test): lookups, keyed and appended rows, 10 kills; how late a batch over a table makes an alarm (6 minutes)
	@SUPYO=$(CURDIR)/build/release/supyo build/venv/bin/python tests/e2e/jdbc.py --postgres --kills 10
	@SUPYO=$(CURDIR)/build/release/supyo build/venv/bin/python tests/e2e/alarm_batch.py
	@SUPYO=$(CURDIR)/build/release/supyo build/venv/bin/python tests/e2e/jdbc_errors.py

.PHONY: test-real
test-real: build ## the SQL of tests/sql and tests/flink on real Flink and here, compared; Burrow, klag-exporter and ConsumerGroupCommand beside `supyo watch` (fetches all; needs a JDK, Maven and cargo); ONLY=part of a file's name, ONLY=monitors
	@scripts/test_real.sh

.PHONY: test-flink
test-flink: build ## labs about a job on a real Flink and a real Kafka: TaskManagers killed and stopped, checkpoints refused, partitions silent, records and tables late, an Iceberg table committed slowly (fetches all; needs a JDK and Maven); LABS=worker-kill for one
	@scripts/test_flink_labs.sh

.PHONY: test-slo
test-slo: build ## rules, dashboards and a page through real Prometheus and Alertmanager, over a job that runs and over twenty drawn traces (10 minutes)
	@scripts/build.sh dev supyo_judge_slo_test
	@python3 tests/slo/dashboard_types.py && python3 tests/slo/live.py && python3 tests/slo/traces.py

.PHONY: test-long
test-long: build ## the long campaigns: 2,000 simulated seeds, 200 rounds of kill -9 per job
	@scripts/test_long.sh

.PHONY: bench
bench: setup ## benchmarks with their baselines in the same run
	@scripts/build.sh release supyo supyo_parquet
	@scripts/bench.sh

.PHONY: tsan
tsan: setup ## unit tests under the thread sanitizer
	@scripts/build.sh tsan
	@ctest --preset tsan

.PHONY: clean
clean: ## remove build/ (what demo and tests wrote is in there too)
	@rm -rf build
