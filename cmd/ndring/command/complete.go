package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/kernel"
	"github.com/urfave/cli/v2"
)

// completing is the hidden command that the shells' completion scripts call.
const completing = "__complete"

// completeCommand prints what may follow the words given, one candidate a line. The
// last word is the one being typed and may be empty.
func completeCommand() *cli.Command {
	return &cli.Command{
		Name: completing, Hidden: true, SkipFlagParsing: true,
		Action: func(c *cli.Context) error {
			words := c.Args().Slice()
			if len(words) == 0 {
				words = []string{""}
			}
			typed := words[len(words)-1]
			for _, candidate := range candidates(c.App.Commands, words[:len(words)-1], typed) {
				if strings.HasPrefix(candidate, typed) {
					fmt.Fprintln(c.App.Writer, candidate)
				}
			}
			return nil
		},
	}
}

// candidates are the words that can stand after before.
func candidates(commands []*cli.Command, before []string, typed string) []string {
	if len(before) == 0 {
		return commandNames(commands)
	}
	cmd := find(commands, before[0])
	if cmd == nil || cmd.Hidden {
		return nil
	}
	if last := before[len(before)-1]; len(before) > 1 && strings.HasPrefix(last, "-") && takesValue(cmd, last) {
		return flagValues(strings.TrimLeft(last, "-"), typed)
	}
	if strings.HasPrefix(typed, "-") {
		return flagNames(cmd)
	}
	switch {
	case cmd.Name == "completion":
		return shells()
	case cmd.ArgsUsage != "":
		return listOf(typed, ringNames())
	}
	return flagNames(cmd)
}

func commandNames(commands []*cli.Command) []string {
	names := []string{"help"}
	for _, c := range commands {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func flagNames(cmd *cli.Command) []string {
	names := []string{"--help"}
	for _, f := range cmd.Flags {
		names = append(names, "--"+f.Names()[0])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// flagValues are the words a flag takes, where they are known.
func flagValues(flag, typed string) []string {
	switch flag {
	case "in", "out", "to", "from":
		return append(fixedValues(flag), listOf(typed, ringNames())...)
	case "kernel":
		var names []string
		for _, e := range kernel.Registry() {
			names = append(names, e.Name)
		}
		return names
	}
	return fixedValues(flag)
}

func fixedValues(flag string) []string {
	switch flag {
	case "from":
		return []string{"oldest", "latest"}
	case "wake":
		return []string{"park", "stream"}
	case "policy":
		return []string{"block", "drop"}
	case "format":
		return []string{"text", "json", "npy"}
	case "source":
		return []string{"linspace", "sine", "random", "npy:", "stdin"}
	case "dtype":
		return strings.Fields("f64 f32 f16 i8 i16 i32 i64 u8 u16 u32 u64 bool c64 c128")
	}
	return nil
}

// listOf completes the last word of a list with commas.
func listOf(typed string, words []string) []string {
	done := typed[:strings.LastIndexByte(typed, ',')+1]
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = done + w
	}
	return list
}

func ringNames() []string {
	rings, err := ipc.List("")
	if err != nil {
		return nil
	}
	var names []string
	for _, r := range rings {
		names = append(names, r.Name)
	}
	return names
}
