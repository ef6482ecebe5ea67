package main

import "slices"

// A peer is one way to pass frames from process to process.
type peer struct {
	name    string
	does    string // for one frame, in the documentation's table
	module  string // whose version a report names, "" for the standard library
	connect func(end) (link, error)

	// threads is GOMAXPROCS of each pinned side, the better of 1 and 2 for the
	// peer. A ring does not spin below 2.
	threads int

	// only limits the work to one workload, "" for all of them.
	only string

	// server is the role of a third process, "" for none.
	server string

	// missing is why the peer cannot be measured with this build, "" if it can.
	missing string
}

const (
	ownName    = "ndring"         // what the others are held against
	parkedName = "ndring_park"    // the same without spinning
	batchName  = "ndring_batched" // the same with frames collected
)

// peers lists what is compared, ndring first.
func peers() []peer {
	return []peer{
		{name: ownName, threads: 2, connect: connectSpinning,
			does: "claimed in the ring, written and read in place; an idle side spins for 20 µs, then sleeps"},
		{name: parkedName, threads: 2, connect: connectParking,
			does: "the same; an idle side sleeps at once"},
		{name: batchName, threads: 2, connect: connectCollecting, only: smallRate,
			does: "as `ndring`, with 64 frames a claim and a commit, and as many as there are a lease: no frame arrives before its batch is full"},
		{name: "pipe", threads: 1, connect: connectPipe,
			does: "`os.Pipe`: one write of length and frame, copied into the kernel and out again"},
		{name: "unix", threads: 1, connect: connectUnix,
			does: "Unix stream socket as `net.Conn`: one write of length and frame, copied into the kernel and out again"},
		{name: "unix_batched", threads: 1, connect: connectUnixCollected, only: smallRate,
			does: "the same through a `bufio.Writer` that collects 64 KiB: no frame leaves before its buffer is full"},
		{name: "grpc_stream", threads: 1, connect: connectExchange, module: "google.golang.org/grpc",
			does: "a message on one bidirectional stream over a Unix socket; raw codec: one copy to encode, one to decode, pooled, besides those of socket and HTTP/2"},
		{name: "grpc_unary", threads: 1, connect: connectUnary, module: "google.golang.org/grpc",
			does: "one call over a Unix socket, the next after its reply; the same codec"},
		{name: "zmq", threads: 1, connect: connectZMQ, module: "github.com/pebbe/zmq4", missing: zmqMissing,
			does: "libzmq PAIR over `ipc://` through cgo: copied into a message, through a socket, out into a new slice"},
		{name: "nats", threads: 1, connect: connectNATS, server: roleServer, module: "github.com/nats-io/nats-server/v2",
			does: "published to an embedded core NATS server in a third process, over loopback TCP, and on to the subscriber; credits every half window keep the server from dropping"},
		{name: "shmipc", threads: 1, connect: connectShmipc, module: "github.com/cloudwego/shmipc-go",
			does: "written into a slice of shared memory, its place queued, read in place; credits every half window keep it from falling back to the socket"},
	}
}

// isOwn reports whether the peer of this name is ndring itself.
func isOwn(name string) bool { return name == ownName || name == parkedName || name == batchName }

func findPeer(among []peer, name string) (peer, bool) {
	i := slices.IndexFunc(among, func(p peer) bool { return p.name == name })
	if i < 0 {
		return peer{}, false
	}
	return among[i], true
}
