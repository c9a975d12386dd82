"""Delivery: from the log of events to the listeners that registered at a hub.

The words used here:

- A *subscription* is one listener's registration; its *lane* remembers how far it has come in the
  log. A *worker* works on a lane while it holds the *lease* on it, which ends by itself when the
  worker dies.
- A failed delivery is *waiting* for its next attempt, and the later events of its resource wait
  behind it. After the last attempt it is *parked*, until an operator retries or purges it.
- A listener that fails again and again is left alone: its lane *rests*, longer each time. In the
  end, or when it says that it is gone, it is *suspended* until an operator resumes it.

`subscriptions` knows who wants what, and `events` shapes what a record of a change becomes for a
contract; `callbacks` and `sender` reach a listener once; `lanes` is what is kept in the store;
`lane_run` works on one lane, `patience` says how long it tries; `log` reads for all lanes; `worker`
hands out the lanes, and `running` starts workers. Any number of workers may share a store.
"""
