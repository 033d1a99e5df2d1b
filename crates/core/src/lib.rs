//! The pure part of evenkeel: it does no I/O, starts no task and reads no clock.
