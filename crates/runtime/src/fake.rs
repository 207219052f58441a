//! A scripted runtime for tests and the simulator of shells: containers that exit when told.
