"""From a data set and labelled days to a registered version, and the gate that makes it champion."""
