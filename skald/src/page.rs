//! The page, as files inside this binary.

use skald_transport::Asset;

/// The files of the page; empty if it was not built before this binary was.
pub(crate) static PAGE: &[Asset] = include!(concat!(env!("OUT_DIR"), "/page.rs"));
