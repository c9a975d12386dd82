"""The rules of TM Forum's REST API Design Guidelines (TMF630), free of HTTP and of any store."""
