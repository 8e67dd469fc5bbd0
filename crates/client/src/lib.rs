//! The host side of each protocol.
