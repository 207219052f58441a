//! Whole lives of services, through the operations.
