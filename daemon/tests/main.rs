//! Tests of the whole service: the real programs, on real parts.

#[path = "main/docs.rs"]
mod docs;
#[path = "main/walls.rs"]
mod walls;
