//! Plugins: what they are, what they ask for, and who decided about them.

named! {
    /// One plugin.
    pub struct Plugin {
        /// Its name.
        pub name: String,
        /// `rule`, `channel` or `carrier`; `unknown` where its manifest is wrong.
        pub kind: String,
        /// The version of the plugin interface that it is written for; null where its manifest is wrong.
        pub api: Option<u32>,
        /// Its folder.
        pub folder: String,
        /// What it does, in one line.
        pub description: String,
        /// Languages that its manifest names.
        pub languages: Vec<String>,
        /// Whether it may run.
        pub enabled: bool,
        /// Who decided that: `manifest`, `configuration`, which outranks the others, `person`, or `nobody` yet.
        pub decided_by: String,
        /// What it may ask for.
        pub permissions: Vec<PluginPermission>,
        /// What can be set.
        pub settings: Vec<PluginSetting>,
        /// What is wrong with it; null where nothing is.
        pub problem: Option<String>,
    }

    /// One thing that a plugin may ask for.
    pub struct PluginPermission {
        /// As its manifest names it, such as `send-sms` or `host:api.example.org`.
        pub name: String,
        /// Whether it was approved.
        pub approved: bool,
        /// Whether the configuration allows it; hosts need no more than to be approved.
        pub allowed: bool,
    }

    /// One setting of a plugin.
    pub struct PluginSetting {
        /// Its name.
        pub name: String,
        /// Its type, such as `size`; `list of size` for a list.
        pub kind: String,
        /// What it is for.
        pub description: String,
        /// What it is unless it is set; null where it has to be set, and of a secret.
        pub default: Option<String>,
        /// What is in force; null of a secret, and where each channel sets it.
        pub value: Option<String>,
        /// Where that comes from: `default`, `configuration` or `channel`.
        pub origin: String,
        /// Whether it is a secret, whose value nobody is told.
        pub secret: bool,
    }
}

inline! {
    /// A page of plugins.
    pub struct PluginsPage {
        /// The plugins, by name.
        pub plugins: Vec<Plugin>,
        /// The folder that the owner's are copied into; null where plugins are looked for nowhere.
        pub folder: Option<String>,
        /// Where the next page begins; null on the last.
        pub next: Option<String>,
    }

    /// Which plugin to switch on or off, or whose permissions to approve.
    pub struct DecidePluginParams {
        /// Its name.
        pub name: String,
        /// Permissions as they were shown to whoever approves them: where the plugin asks for others by now, nothing is
        /// changed. Not needed to switch off.
        #[serde(default)]
        pub approve: Vec<String>,
    }

    /// A plugin as it is after the change.
    pub struct PluginReply {
        /// The plugin.
        pub plugin: Plugin,
        /// What keeps the change from having the effect that is meant, such as the configuration; null where nothing
        /// does.
        pub note: Option<String>,
    }
}
