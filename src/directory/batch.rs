//! Several reads in one request (learn.microsoft.com/graph/json-batching).
