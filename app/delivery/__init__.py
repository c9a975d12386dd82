"""Delivery: from the log of events to the listeners that registered at a hub.

`events` shapes what a record of a change becomes for a contract; `subscriptions` knows who wants
what; `lanes` remembers how far each listener has come; `callbacks` and `sender` reach them;
`worker` puts it together. Any number of workers may share a store.
"""
