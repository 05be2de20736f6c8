//! The control protocol: its types and its client
