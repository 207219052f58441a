//! The embedded OCI runtime: libcontainer in a single-threaded shim per task.
