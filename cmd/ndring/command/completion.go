package command

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

func completionCommand() *cli.Command {
	return &cli.Command{
		Name: "completion", Usage: "print a completion script for bash, zsh or fish", ArgsUsage: "bash|zsh|fish",
		Description: "bash: source <(ndring completion bash)\nzsh: source <(ndring completion zsh)\nfish: ndring completion fish | source",
		Action: func(c *cli.Context) error {
			script, ok := completionScript(c.Args().First())
			if !ok || c.NArg() != 1 {
				return usagef("completion: name one of %s, got %q", strings.Join(shells(), ", "), c.Args().Slice())
			}
			_, err := fmt.Fprint(c.App.Writer, script)
			return err
		},
	}
}

func shells() []string { return []string{"bash", "zsh", "fish"} }

// completionScript asks the program itself for candidates, so that it never lags
// behind.
func completionScript(shell string) (script string, ok bool) {
	switch shell {
	case "bash":
		return bashCompletion, true
	case "zsh":
		return zshCompletion, true
	case "fish":
		return fishCompletion, true
	}
	return "", false
}

const bashCompletion = `# bash completion for ndring
_ndring() {
  local word
  COMPREPLY=()
  while IFS= read -r word; do
    COMPREPLY+=("$word")
  done < <("${COMP_WORDS[0]}" ` + completing + ` "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _ndring ndring
`

const zshCompletion = `#compdef ndring
_ndring() {
  local -a candidates
  candidates=("${(@f)$("${words[1]}" ` + completing + ` "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$candidates" ]]; then
    compadd -a candidates
  else
    _files
  fi
}
if [[ "$funcstack[1]" == _ndring ]]; then
  _ndring "$@"
else
  compdef _ndring ndring
fi
`

const fishCompletion = `# fish completion for ndring
function __ndring_complete
  set -l words (commandline -opc)
  set -l typed (commandline -ct)
  $words[1] ` + completing + ` $words[2..-1] "$typed" 2>/dev/null
end
complete -c ndring -f -a '(__ndring_complete)'
`
