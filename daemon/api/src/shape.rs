//! One way to declare what travels.

/// Declares a named type of the interface: serialised, read back, and known to the interface description.
macro_rules! named {
    ($($item:item)+) => {$(
        #[derive(
            Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, zlink::introspect::CustomType,
        )]
        $item
    )+};
}

/// Declares the parameters or the reply of a method: like `named!`, but spelled out in the method's own line.
macro_rules! inline {
    ($($item:item)+) => {$(
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, zlink::introspect::Type)]
        $item
    )+};
}
