//! The ATmega328P programmer's images, executed: what they answer, how fast they are, and what they
//! do when bytes get lost.

mod desk;
mod faults;
mod judges;
mod original;
mod speed;
