//! Empty: the tests are one binary, `src/main.rs`, so that one link serves them all.
