
# The scripts are run through jbang: by their files, or by the aliases of jbang-catalog.json. What else jbang runs is completed as before.
_kind_demo() {
  local i script
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]##*/} in
      KindDemo.java | kind-demo | kind-demo@*) script=KindDemo ;;
      Verify.java | verify | verify@*) script=Verify ;;
      Teardown.java | teardown | teardown@*) script=Teardown ;;
      *) continue ;;
    esac
    if typeset -f "_complete_$script" > /dev/null; then
      COMP_WORDS=("$script" "${COMP_WORDS[@]:$((i + 1))}")
      COMP_CWORD=$((COMP_CWORD - i))
      "_complete_$script"
      return
    fi
  done
  [ -z "$_kind_demo_before" ] || "$_kind_demo_before" "$@"
}
_kind_demo_other=$(complete -p jbang 2> /dev/null | sed -n 's/.* -F \([^ ]*\) jbang$/\1/p')
[ "$_kind_demo_other" = _kind_demo ] || _kind_demo_before=$_kind_demo_other
complete -o default -F _kind_demo jbang
