package inspection

import (
	"time"

	"github.com/ndring/ndring/cmd/ndring/render"
	"github.com/ndring/ndring/ring"
)

// Report is everything a look at a ring found out. Times of unknown events are nil.
type Report struct {
	Name     string   `json:"name"`
	Verdict  Verdict  `json:"verdict"`
	Identity Identity `json:"identity"`
	File     File     `json:"file"`
	Writer   Writer   `json:"writer"`
	Flow     Flow     `json:"flow"`
	Blocked  Blocked  `json:"blocked"`
	Readers  []Reader `json:"readers"`
	Frames   []Frame  `json:"frames"` // the last ones, oldest first
	TableErr string   `json:"reader_table_error,omitempty"`
	WalkErr  string   `json:"walk_error,omitempty"`

	Findings []ring.Finding `json:"findings,omitempty"` // rules of the layout that are broken; with Options.Audit
}

// Identity is what never changes.
type Identity struct {
	Layout     string    `json:"layout"`
	RingID     string    `json:"ring_id"`
	Capacity   uint64    `json:"capacity_bytes"`
	FrameLimit uint64    `json:"frame_limit_bytes"`
	Schema     string    `json:"schema"`
	Policy     string    `json:"policy"`
	Slots      uint32    `json:"reader_slots"`
	Start      uint64    `json:"start_position"`
	Created    time.Time `json:"created"`
	CreatorPID uint32    `json:"creator_pid"`
	CreatorExe string    `json:"creator_exe"`
	CreatorUID uint32    `json:"creator_uid"`
	Meta       string    `json:"metadata"`
}

// File is the segment's file.
type File struct {
	Path          string `json:"path"`
	Inode         uint64 `json:"inode"`
	Mode          string `json:"mode"`
	UID           uint32 `json:"uid"`
	ApparentBytes uint64 `json:"apparent_bytes"`
	ResidentBytes uint64 `json:"resident_bytes"`
}

// Writer is the process that writes, or wrote last.
type Writer struct {
	Status  string     `json:"status"` // alive, stopped, ended, dead
	PID     uint32     `json:"pid"`
	Exe     string     `json:"exe,omitempty"`
	Epoch   uint64     `json:"epoch"`
	Started *time.Time `json:"started,omitempty"`
	FreeRun bool       `json:"free_run"`
	alive   bool       // also of a ring that has ended
}

// Flow is how far the ring got and how fast.
type Flow struct {
	Tail       uint64     `json:"tail_position"`
	Limit      uint64     `json:"limit_position"`
	Oldest     uint64     `json:"oldest_position"`
	Frames     uint64     `json:"frames"` // ever committed
	Kept       uint64     `json:"frames_in_ring"`
	Fill       float64    `json:"fill"` // of the capacity, held for readers
	HeldBytes  uint64     `json:"held_bytes"`
	Rate       *float64   `json:"frames_per_second,omitempty"`
	BytesRate  *float64   `json:"bytes_per_second,omitempty"`
	RateFrom   string     `json:"rate_from,omitempty"`
	LastCommit *time.Time `json:"tail_stored,omitempty"`
	Dropped    uint64     `json:"dropped"`
	Evictions  uint64     `json:"evictions"`
}

// Blocked says whether the writer waits, for whom, and how often it did.
type Blocked struct {
	Now          bool       `json:"now"`
	Since        *time.Time `json:"since,omitempty"`
	FirstReader  bool       `json:"first_reader,omitempty"` // waits for a first one
	ByName       string     `json:"by_name,omitempty"`
	ByPID        uint32     `json:"by_pid,omitempty"`
	HoldsBytes   uint64     `json:"holds_bytes,omitempty"`
	HoldsFrames  *uint64    `json:"holds_frames,omitempty"`
	Times        uint64     `json:"times"`
	TotalSeconds float64    `json:"total_seconds"`
}

const readerEvicted = "evicted"

// Reader is an occupied reader slot.
type Reader struct {
	Slot      int       `json:"slot"`
	Name      string    `json:"name,omitempty"`
	PID       uint32    `json:"pid"`
	Exe       string    `json:"exe,omitempty"`
	Process   string    `json:"process"` // alive, stopped, dead
	State     string    `json:"state"`   // active, lost, evicted
	Wake      string    `json:"wake"`
	Cursor    uint64    `json:"cursor"`
	LagBytes  uint64    `json:"lag_bytes"`
	LagFrames *uint64   `json:"lag_frames,omitempty"` // unknown when the cursor was overtaken
	Parked    bool      `json:"parked"`
	Attached  time.Time `json:"attached"`
	KeepMs    uint32    `json:"keep_ms,omitempty"`
	EvictMs   uint32    `json:"evict_ms,omitempty"`
}

// Frame is one of the last frames.
type Frame struct {
	render.Header
	Values     []any       `json:"first_values"`
	Statistics *Statistics `json:"statistics,omitempty"`
	Preview    string      `json:"-"`
	Remark     string      `json:"remark,omitempty"` // why there are no values
}
