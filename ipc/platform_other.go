//go:build !linux

package ipc

// The build stops here on other systems: rings need tmpfs, eventfd, pidfd,
// SOCK_SEQPACKET and membarrier.
var _ = ndring_runs_on_Linux_only
