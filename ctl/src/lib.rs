//! The control program of simbelld
