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
	Clients     uint64 `json:"clients"` // connected now
	Accepted    uint64 `json:"accepted"`
	TurnedAway  uint64 `json:"turned_away"` // clients beyond MaxClients
	Refused     uint64 `json:"refused"`     // clients that broke the protocol
	Chunks      uint64 `json:"chunks"`
	ChunkBytes  uint64 `json:"chunk_bytes"`  // payload
	Results     uint64 `json:"results"`      // PRIMARY and DELTA
	ResultBytes uint64 `json:"result_bytes"` // payload
	Direct      uint64 `json:"direct"`       // chunks and results, added up, that went between socket and ring without a copy
	Moved       uint64 `json:"moved"`        // of those begun that way, the ones that were copied because the client was slow
	Stray       uint64 `json:"stray"`        // results of streams that are not, or no longer, served here
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
