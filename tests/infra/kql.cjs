// Microsoft's parser of KQL on queries: {label: text} from standard input, {label: [finding]} to standard output.
// The tables are those of Application Insights, with the columns that the queries may use:
// https://learn.microsoft.com/azure/azure-monitor/app/data-model-complete
const fs = require("fs");
const path = require("path");
const vm = require("vm");

const TABLES = {
  traces: "(timestamp: datetime, message: string, severityLevel: int, itemType: string, operation_Name: string, cloud_RoleInstance: string)",
  requests: "(timestamp: datetime, name: string, success: string, resultCode: string, duration: real, itemType: string, operation_Name: string, cloud_RoleInstance: string)",
  exceptions: "(timestamp: datetime, type: string, outerMessage: string, innermostMessage: string, itemType: string, operation_Name: string, cloud_RoleInstance: string)",
};

// Scripts of the time before modules: they put what they define into the global scope.
const folder = path.join(__dirname, "../../node_modules/@kusto/language-service-next");
for (const file of ["bridge.min.js", "Kusto.Language.Bridge.min.js"]) {
  vm.runInThisContext(fs.readFileSync(path.join(folder, file), "utf8"), { filename: file });
}

const { KustoCode, GlobalState, Symbols } = Kusto.Language;
const tables = Object.entries(TABLES).map(([name, columns]) => Symbols.TableSymbol.From(columns).WithName(name));
const globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor("component", Bridge.toArray(tables)));

const findings = {};
for (const [label, text] of Object.entries(JSON.parse(fs.readFileSync(0, "utf8")))) {
  findings[label] = Bridge.toArray(KustoCode.ParseAndAnalyze(text, globals).GetDiagnostics()).map(
    (found) => `line ${text.slice(0, found.Start).split("\n").length}: ${found.Code} ${found.Message}`,
  );
}
console.log(JSON.stringify(findings));
