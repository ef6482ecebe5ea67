package bridge

import "sync/atomic"

// tally counts what a bridge did.
type tally struct {
	clients, accepted, turnedAway, refused   atomic.Uint64
	chunks, chunkBytes, results, resultBytes atomic.Uint64
	direct, moved, stray                     atomic.Uint64
}

// Stats is how far a bridge got.
type Stats struct {
	Clients     uint64 // connected now
	Accepted    uint64
	TurnedAway  uint64 // clients beyond MaxClients
	Refused     uint64 // clients that broke the protocol
	Chunks      uint64
	ChunkBytes  uint64 // payload
	Results     uint64 // PRIMARY and DELTA
	ResultBytes uint64 // payload
	Direct      uint64 // chunks and results that went between socket and ring without a copy
	Moved       uint64 // of those begun that way, the ones that were copied because the client was slow
	Stray       uint64 // results of streams that are not, or no longer, served here
}

// Stats returns the figures so far. They were true one after the other, not
// together.
func (b *Bridge) Stats() Stats {
	t := &b.tally
	return Stats{
		Clients: t.clients.Load(), Accepted: t.accepted.Load(), TurnedAway: t.turnedAway.Load(),
		Refused: t.refused.Load(), Chunks: t.chunks.Load(), ChunkBytes: t.chunkBytes.Load(),
		Results: t.results.Load(), ResultBytes: t.resultBytes.Load(),
		Direct: t.direct.Load(), Moved: t.moved.Load(), Stray: t.stray.Load(),
	}
}
