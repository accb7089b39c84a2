"""Runs the real `httpd -t` on configurations and reads what the audit says.

case          a file of the corpus: the configuration and the findings that it must give
certificates  certificates of every quality, made with openssl
server        what stands around a case: modules, defaults; runs httpd -t
edits         applies a finding's fix to the files it is for
mutate        configurations made worse at random
"""
