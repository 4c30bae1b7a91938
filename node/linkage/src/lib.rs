//! Linkage rules: canonical fields, match keys, grades; map files and CSV.
