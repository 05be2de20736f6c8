-- Where the plugin lies that a decision is about.
ALTER TABLE plugin_decision ADD COLUMN place TEXT; -- shipped or owner; NULL of decisions of before
