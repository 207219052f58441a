//! AWS Secrets Manager: the index of everything this service does.
