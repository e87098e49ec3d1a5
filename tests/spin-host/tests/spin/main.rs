//! The functions as components of Spin, and both drivers of the store by one contract. `just test-spin` runs the same under
//! the real Spin.

mod contract;
mod product;
mod world;
