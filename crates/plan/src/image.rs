//! Firmware images: file content with addresses.
