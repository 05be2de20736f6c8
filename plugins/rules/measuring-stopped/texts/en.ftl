since = { $text } Since { $since }.
since-of = { $text } ({ $subject }) Since { $since }.

modemmanager-gone = ModemManager is not running: usage and messages of the modem are not seen.
bus-lost = The system bus is gone: usage and messages of the modem are not seen.
ledger-not-writable = The ledger cannot be written: usage is kept in memory only. Is the disk full or read-only?
ledger-damaged = The ledger was damaged and is set aside; figures since the last good copy may be missing.
not-measured = A connection is up whose data cannot be counted.
not-authorized = ModemManager refused a request: a polkit rule for the service is missing.
overflow = A sum or an entry of usage does not fit into the ledger and was not booked.
