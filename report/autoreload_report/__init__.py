# SPDX-License-Identifier: MIT
# autoreload_report: turns what the benchmarks measured into a report.
