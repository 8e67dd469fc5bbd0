//! Flash chips over a serial wire.
