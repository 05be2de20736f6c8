//! When an allowance will run out, if usage goes on as it did.
