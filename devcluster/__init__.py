"""A real Kubernetes on this machine, for `make up` and the tests.

etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok (whose nodes run pods in name only) as plain processes
on the loopback interface: found in the cache folder or built from pinned Go modules, started in seconds, and never left
running after a crash. Nothing of the product imports this package.
"""
