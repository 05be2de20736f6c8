//! The bell for your SIM: the service
