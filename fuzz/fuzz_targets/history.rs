//! Random histories of observations, overrides, nominations, reloads, restarts and clock steps.
//!
//! The laws of `crates/core/src/state/histories` hold after every step.
#![no_main]

use evenkeel_fuzz::{World, check_history};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|world: World| check_history(&world));
