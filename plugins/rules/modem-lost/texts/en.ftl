lost = The modem { $modem } is gone since { $since }. Is it plugged in, and powered?
back = The modem { $modem } is back.
unusable = The modem { $modem } cannot be used: { $why }.
