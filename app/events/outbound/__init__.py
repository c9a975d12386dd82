"""Event delivery: from the event log to the listeners registered at the hubs.

Terms:

- A *subscription* is one listener's registration at a hub. Its *delivery cursor* stores how far it
  has come in the event log. A *worker* delivers to a subscription while it holds the *lease* on its
  cursor; the lease of a worker that died expires.
- A delivery that failed is *waiting* for its next attempt; later events about the same resource
  wait behind it. After the last attempt it is *parked* until an operator retries or purges it.
- A subscription whose listener cannot be reached *rests*, longer each time. After repeated
  failures, or when the listener answers 410, it is *suspended* until an operator resumes it.

Modules: `subscriptions` reads the registrations and `payloads` renders events for them;
`callback_policy` and `webhook` send one event to one listener; `delivery_cursors` is the stored
progress; `dispatcher` delivers to one subscription, as `retry_policy` says; `event_log` reads the
log for all subscriptions; `worker` starts dispatchers and `processes` starts workers. Any number of
workers may share a store.
"""
